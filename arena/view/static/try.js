// Score a dropped or chosen file, again whenever the models change.
const at = (id) => document.getElementById(id);
let file = null, turn = 0;

async function score() {
  if (!file) return;
  const mine = (turn += 1);
  URL.revokeObjectURL(at("image").src);
  at("image").src = URL.createObjectURL(file);
  at("shown").hidden = false;
  at("status").textContent = `Scoring ${file.name} …`;
  const models = new URLSearchParams(new FormData(at("drop")));
  const answer = await fetch(`/try?${models}`, { method: "POST", body: file }).catch(() => null);
  const text = answer ? await answer.text() : "";
  if (mine !== turn) return; // another file was chosen meanwhile
  at("status").textContent = answer ? file.name : "The server does not answer. Start arena view again, and open its new address.";
  at("found").replaceChildren(...new DOMParser().parseFromString(text, "text/html").body.childNodes);
}

at("image").addEventListener("error", () => { at("shown").hidden = true; });
at("file").addEventListener("change", () => { file = at("file").files[0] ?? null; score(); });
at("drop").addEventListener("change", (event) => { if (event.target.name === "model") score(); });
at("drop").addEventListener("submit", (event) => event.preventDefault());
for (const name of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(name, (event) => {
    event.preventDefault();
    at("drop").classList.toggle("over", name === "dragover");
  });
}
document.addEventListener("drop", (event) => {
  if (event.dataTransfer.files.length) {
    file = event.dataTransfer.files[0];
    score();
  }
});
