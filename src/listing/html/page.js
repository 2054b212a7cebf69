"use strict";
// Previews in a dialog. Each is a page of its own, too, for those that follow the link.
(() => {
  const viewer = document.getElementById("viewer");
  const close = document.createElement("button");
  close.type = "button";
  close.className = "close";
  close.textContent = "Close";
  close.addEventListener("click", () => viewer.close());
  let opener = null;
  let latest = 0;

  const show = async (href) => {
    const turn = ++latest;
    const wasOpen = viewer.open;
    let preview = null;
    try {
      const response = await fetch(href, { headers: { accept: "text/html" } });
      // What is in a template neither runs nor styles anything.
      const page = document.createElement("template");
      page.innerHTML = await response.text();
      preview = response.ok ? page.content.getElementById("preview") : null;
    } catch {
      // The link itself tells what is wrong.
    }
    // Another is wanted by now, or none.
    if (turn !== latest || (wasOpen && !viewer.open)) return;
    if (!preview) {
      location.assign(href);
      return;
    }
    viewer.replaceChildren(close, document.adoptNode(preview));
    viewer.scrollTop = 0;
    if (!viewer.open) viewer.showModal();
  };

  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    if (event.target === viewer) viewer.close();
    const link = event.target.closest("a.preview, dialog a[rel]");
    if (!link) return;
    event.preventDefault();
    if (!viewer.open) opener = link;
    show(link.href);
  });
  viewer.addEventListener("keydown", (event) => {
    if (event.target.closest("video, audio, pre")) return;
    const way = { ArrowLeft: "prev", ArrowRight: "next" }[event.key];
    const link = way && viewer.querySelector(`a[rel="${way}"]`);
    if (link) show(link.href);
  });
  // What plays stops. The event comes later than the end: the next may be open already.
  viewer.addEventListener("close", () => {
    if (viewer.open) return;
    viewer.replaceChildren();
    opener?.focus();
  });
})();
