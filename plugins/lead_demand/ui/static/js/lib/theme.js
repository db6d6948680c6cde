// Light or dark as Airflow is set: its own switch is a class of the document around the frame. Alone, the system decides.

export function followAirflow() {
  if (window.parent === window) return;
  try {
    const root = window.parent.document.documentElement;
    const paint = () => {
      document.documentElement.dataset.theme = root.classList.contains("dark") ? "dark" : "light";
      document.dispatchEvent(new Event("themechange"));
    };
    new MutationObserver(paint).observe(root, { attributeFilter: ["class"] });
    paint();
  } catch {
    // Framed by another origin: prefers-color-scheme decides.
  }
}
