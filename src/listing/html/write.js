// Uploads and deletes, by PUT and DELETE of the objects themselves.
(() => {
  const reasons = {
    403: "Not allowed",
    405: "Not allowed here",
    409: "Somebody else writes it just now",
    412: "There is a file of this name",
    413: "Too large",
    415: "Files of this type are not taken",
  };
  const reason = (status) => reasons[status] ?? (status ? `Failed (${status})` : "The connection broke off");

  const section = document.getElementById("upload");
  const list = document.getElementById("uploads");
  const input = document.getElementById("files");

  const put = (file) =>
    new Promise((resolve) => {
      const [item, name, bar, state] = ["li", "bdi", "progress", "span"].map((tag) => document.createElement(tag));
      name.textContent = file.name;
      bar.max = 1;
      bar.value = 0;
      bar.setAttribute("aria-label", `Upload of ${file.name}`);
      state.textContent = "0 %";
      item.append(name, bar, state);
      list.append(item);
      const request = new XMLHttpRequest();
      const end = (status) => {
        const is = status >= 200 && status < 300;
        if (is) bar.value = 1;
        state.textContent = is ? "Stored" : reason(status);
        item.classList.toggle("failed", !is);
        resolve(is);
      };
      request.upload.addEventListener("progress", ({ loaded, total }) => {
        bar.value = total ? loaded / total : 0;
        state.textContent = `${Math.floor(bar.value * 100)} %`;
      });
      request.addEventListener("load", () => end(request.status));
      request.addEventListener("error", () => end(0));
      request.addEventListener("abort", () => end(0));
      request.open("PUT", `./${encodeURIComponent(file.name)}`);
      request.send(file);
    });

  let queue = Promise.resolve(true);
  let waiting = 0;
  const upload = (files) => {
    for (const file of files) {
      waiting += 1;
      queue = queue.then(async (all) => {
        const is = await put(file);
        waiting -= 1;
        if (!waiting && all && is) location.reload();
        return all && is;
      });
    }
  };

  section.hidden = false;
  input.addEventListener("change", () => {
    upload([...input.files]);
    input.value = "";
  });
  const carriesFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  document.addEventListener("dragover", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    section.classList.add("over");
  });
  document.addEventListener("dragleave", (event) => event.relatedTarget || section.classList.remove("over"));
  document.addEventListener("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    section.classList.remove("over");
    // A folder is no file, and cannot be sent.
    const items = [...event.dataTransfer.items].filter((item) => item.webkitGetAsEntry?.()?.isFile ?? item.kind === "file");
    upload(items.map((item) => item.getAsFile()).filter(Boolean));
  });

  const confirm = document.getElementById("confirm");
  if (!confirm) return;
  const [doomed, refusal, keep, remove] = ["doomed", "refusal", "keep", "remove"].map((id) => document.getElementById(id));
  let href = null;
  for (const button of document.querySelectorAll("button.delete")) {
    button.hidden = false;
    button.addEventListener("click", () => {
      href = button.dataset.href;
      doomed.textContent = button.dataset.name;
      refusal.textContent = "";
      confirm.showModal();
      keep.focus();
    });
  }
  keep.addEventListener("click", () => confirm.close());
  remove.addEventListener("click", async () => {
    remove.disabled = true;
    const status = await fetch(href, { method: "DELETE" }).then((response) => response.status, () => 0);
    remove.disabled = false;
    if (status >= 200 && status < 300) location.reload();
    else refusal.textContent = reason(status);
  });
})();
