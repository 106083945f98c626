"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const at = (id) => document.getElementById(id);
const store = `arena-judge-${data.plan}`;
const kept = JSON.parse(localStorage.getItem(store) || '{"judge":"","answers":[]}');
const buttons = [...document.querySelectorAll("[data-answer]")];

const picture = (place) => `data:image/webp;base64,${data.images[data.cells[place][0]].content}`;

function show() {
  const place = kept.answers.length, total = data.cells.length, done = place >= total;
  for (const button of buttons) button.disabled = done;
  at("undo").disabled = place === 0;
  at("progress").max = total;
  at("progress").value = place;
  at("count").textContent = `${place.toLocaleString()} of ${total.toLocaleString()} answered`;
  if (done) {
    at("question").textContent = "All questions are answered. Save the answers to a file.";
    at("image").removeAttribute("src");
    at("image").alt = "";
    at("show").hidden = true;
    return;
  }
  const image = data.images[data.cells[place][0]], tag = data.tags[data.cells[place][1]];
  at("question").textContent = `Is “${tag.replaceAll("_", " ")}” here?`;
  at("image").src = picture(place);
  at("image").alt = `image ${image.id}`;
  at("image").className = image.open ? "" : "blurred";
  at("show").hidden = image.open;
  if (place + 1 < total) new Image().src = picture(place + 1);
}

function keep() {
  localStorage.setItem(store, JSON.stringify(kept));
  show();
}

function answer(word) {
  if (kept.answers.length < data.cells.length) {
    kept.answers.push([word, new Date().toISOString()]);
    keep();
  }
}

function undo() {
  kept.answers.pop();
  keep();
}

const quoted = (text) => `"${String(text).replaceAll('"', '""')}"`;

function save() {
  if (!kept.judge) {
    at("judge").focus();
    return;
  }
  const lines = kept.answers.map(([word, time], place) => {
    const [image, tag, inclusion] = data.cells[place];
    return [data.images[image].id, data.tags[tag], word, kept.judge, time, inclusion, data.plan].map(quoted).join(",");
  });
  const text = [data.columns.join(","), ...lines, ""].join("\n");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.download = `answers-${data.plan}-${kept.judge.replaceAll(/[^\p{L}\p{N}-]/gu, "_")}.csv`;
  link.click();
  URL.revokeObjectURL(link.href);
}

const keys = { y: () => answer("yes"), n: () => answer("no"), u: () => answer("unclear"), z: undo, s: save,
  b: () => at("image").classList.remove("blurred") };
for (const button of buttons) button.addEventListener("click", () => answer(button.dataset.answer));
at("undo").addEventListener("click", undo);
at("save").addEventListener("click", save);
at("show").addEventListener("click", keys.b);
at("judge").value = kept.judge;
at("judge").addEventListener("input", () => {
  kept.judge = at("judge").value.trim();
  localStorage.setItem(store, JSON.stringify(kept));
});
document.addEventListener("keydown", (event) => {
  const typing = event.target === at("judge") || event.ctrlKey || event.metaKey || event.altKey;
  if (!typing && keys[event.key]) {
    event.preventDefault();
    keys[event.key]();
  }
});
show();
