// What a screen reader is told without a move of the focus.

export function announce(text) {
  document.getElementById("live").textContent = text;
}

/** Put a text into the clipboard; inside a frame without that right it goes the old way. Returns whether it worked. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = document.createElement("textarea");
    field.value = text;
    field.className = "unseen";
    document.body.append(field);
    field.select();
    const isCopied = document.execCommand("copy");
    field.remove();
    return isCopied;
  }
}
