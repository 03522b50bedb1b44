// Puts a livelier chart over the drawing that the server sent, once it comes into view: only then are the library and
// the drawing (chart-draw.js) fetched.
(() => {
  const UPLOT = "/vendor/uPlot.iife.min.js";

  let parts = null;
  let mounted = null;

  async function loadParts() {
    const uplot = new Promise((resolve, reject) => {
      document.head.append(
        Object.assign(document.createElement("script"), { src: UPLOT, onload: resolve, onerror: reject }),
      );
    });
    const [{ draw }] = await Promise.all([import("/chart-draw.js"), uplot]);
    return draw;
  }

  /** Mounts the chart of the figure, or leaves it when what it shows has not changed. */
  async function mount(figure) {
    const text = figure.dataset.chart;
    // What could not be fetched is fetched again when the chart changes.
    parts ??= loadParts().catch((error) => {
      parts = null;
      throw error;
    });
    const draw = await parts;
    if (!figure.isConnected || figure.dataset.chart !== text) return;
    if (mounted?.text === text && mounted.plot.isConnected) return;
    const plot = figure.querySelector(".plot");
    // The server's drawing gives way to what stands in the plot; it comes back when there is nothing.
    if (!plot.hasChildNodes()) plot.append(document.createElement("span"));
    const before = mounted;
    try {
      mounted = draw(JSON.parse(text), plot, before?.plot === plot ? before : null);
      mounted.text = text;
    } catch (error) {
      mounted = null;
      plot.replaceChildren();
      throw error;
    } finally {
      unmount(before);
    }
  }

  function unmount(chart) {
    chart?.observer.disconnect();
    chart?.chart.destroy();
  }

  const seen = new IntersectionObserver(
    (entries) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting) continue;
        seen.unobserve(target);
        mount(target).catch(() => {});
      }
    },
    { rootMargin: "200px" },
  );

  function watch() {
    const figure = document.getElementById("chart");
    if (figure === null) {
      unmount(mounted);
      mounted = null;
    } else if (mounted === null) seen.observe(figure);
    else mount(figure).catch(() => {});
  }

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => mounted?.chart.redraw());
  document.addEventListener("htmx:after:settle", watch);
  watch();
})();
