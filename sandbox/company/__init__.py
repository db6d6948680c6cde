"""The company's own database: its books loaded into Postgres, and what partners and forms do to them."""
