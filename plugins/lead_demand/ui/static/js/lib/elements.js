// Elements from data. Every text becomes a text node, never markup, so a name can hold anything.

const SVG = "http://www.w3.org/2000/svg";

function isShown(child) {
  return child !== null && child !== undefined && child !== false && child !== "";
}

/** An element of HTML: `element("td.num", { title: "…" }, "text", other)`. A key that begins with "on" is a listener;
 *  `vars` are custom properties of CSS, set through the CSSOM because the policy of the page forbids style attributes. */
export function element(tag, attributes = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const node = document.createElement(name || "div");
  if (classes.length) node.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key === "vars") for (const [property, set] of Object.entries(value)) node.style.setProperty(property, set);
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat(4).filter(isShown));
  return node;
}

/** An element of SVG. */
export function drawing(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) node.setAttribute(key, value);
  }
  node.append(...children.filter(isShown));
  return node;
}

/** Text for a screen reader alone. */
export function unseen(text) {
  return element("span.unseen", {}, text);
}

/** A heading cell of a column. */
export function column(label, kind = "") {
  return element(`th${kind}`, { scope: "col" }, label);
}

/** Exchange the content of a node; what is null or false is left out. */
export function fill(node, ...children) {
  node.replaceChildren(...children.flat(4).filter(isShown));
  return node;
}
