"""Google Ads: `channel.py` is the door, and the rest of the package is what it is made of."""
