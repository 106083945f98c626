// Questions one at a time. An answer is on disk before the next question is shown; its image is loaded already.
import { onKeys, revealing } from "./keys.js";

const at = (id) => document.getElementById(id);
const api = at("ask").dataset.api;
const page = [...crypto.getRandomValues(new Uint32Array(3))].map((one) => one.toString(36)).join("");
const buttons = [...document.querySelectorAll("[data-answer]")];
const toggle = revealing();
const images = new Map();
let questions = [], plan = "", judge = readName(), waits = false;

function readName() {
  const found = document.cookie.split("; ").find((one) => one.startsWith("arena-judge="));
  return found ? decodeURIComponent(found.slice("arena-judge=".length)) : "";
}

function keepName(name) {
  judge = name;
  document.cookie = `arena-judge=${encodeURIComponent(name)}; SameSite=Strict; Max-Age=31536000; Path=/`;
}

/** Send a request; null if it failed, and the reason is then on the page. Nothing is sent while another request is under way. */
async function send(action, more = {}) {
  if (waits) return null;
  waits = true;
  try {
    const body = JSON.stringify({ page, judge, plan, shown: questions.map((one) => one.number), ...more });
    const answer = await fetch(`${api}/${action}`, { method: "POST", body, headers: { "Content-Type": "application/json" }, signal: AbortSignal.timeout(20000) });
    const found = await answer.json();
    problem(found.problem ?? "");
    return answer.ok ? found : null;
  } catch {
    problem("The server does not answer. This answer is not stored; all answers before it are. Start arena view again, and open its new address.");
    return null;
  } finally {
    waits = false;
  }
}

function problem(text) {
  at("problem").textContent = text;
  at("problem").hidden = !text;
}

/** Load the images of a question, so that they can be shown at once. */
function load(question) {
  for (const address of [question.picture, ...question.examples.map((one) => one.picture)]) {
    if (images.has(address)) continue;
    const image = new Image();
    image.src = address;
    image.decode().catch(() => {});
    images.set(address, image);
    if (images.size > 60) images.delete(images.keys().next().value);
  }
}

function take(found) {
  plan = found.plan;
  questions.push(...found.questions);
  questions.forEach(load);
  count(found);
}

function count({ answered, wanted }) {
  at("progress").max = Math.max(1, wanted);
  at("progress").value = answered;
  at("count").textContent = `${answered.toLocaleString("en")} of ${wanted.toLocaleString("en")} answered`;
}

function show() {
  const question = questions[0];
  for (const button of buttons) button.disabled = !question;
  at("image").hidden = !question;
  at("examples").hidden = !question?.examples.length;
  at("definition").hidden = !question?.definition;
  at("reveal").hidden = !question || (question.open && question.examples.every((one) => one.open));
  if (!question) {
    at("question").replaceChildren(at("done").content.cloneNode(true));
    return;
  }
  at("definition").textContent = question.definition;
  const tag = document.createElement("em");
  tag.textContent = question.tag;
  at("question").replaceChildren("Is ", tag, " here?");
  const image = picture(images.get(question.picture) ?? new Image(), question, "the image in question");
  image.id = "image";
  image.hidden = false;
  at("image").replaceWith(image); // the element that is decoded already
  at("ask").dataset.number = question.number;
  document.querySelector(".examples").replaceChildren(
    ...question.examples.map((one, place) => picture(document.createElement("img"), one, `example ${place + 1}`)));
}

function picture(image, { picture: address, open }, text) {
  if (image.getAttribute("src") !== address) image.src = address;
  image.alt = text;
  image.toggleAttribute("data-blurred", !open);
  return image;
}

async function answer(word) {
  if (!questions.length || at("ask").hidden) return;
  const found = await send("answer", { number: questions[0].number, answer: word });
  if (!found) return;
  questions.shift();
  take(found);
  show();
}

async function undo() {
  const found = at("ask").hidden ? null : await send("undo");
  if (!found) return;
  if (!found.questions.length) problem("There is no answer of yours to undo.");
  questions = questions.filter((one) => found.questions.every((again) => again.number !== one.number));
  questions.unshift(...found.questions);
  found.questions.forEach(load);
  count(found);
  show();
}

async function start() {
  at("who").hidden = Boolean(judge);
  at("ask").hidden = !judge;
  at("name").textContent = judge;
  if (!judge) {
    at("judge").focus();
    return;
  }
  const found = await send("next");
  if (!found) return;
  take(found);
  show();
}

at("who").addEventListener("submit", (event) => {
  event.preventDefault();
  keepName(at("judge").value.trim());
  start();
});
at("rename").addEventListener("click", () => {
  at("judge").value = judge;
  judge = "";
  start();
});
for (const button of buttons) button.addEventListener("click", () => answer(button.dataset.answer));
at("undo").addEventListener("click", undo);
onKeys({ y: () => answer("yes"), n: () => answer("no"), u: () => answer("unclear"), z: undo, b: toggle });
addEventListener("pagehide", () => navigator.sendBeacon(`${api}/leave`, JSON.stringify({ page })));

const SVG = "http://www.w3.org/2000/svg";

function drawn(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

/** Draw an interval on an axis with a mark at 0; the axis has the widest interval that was seen. */
let widest = 0.01;
function interval({ low, high }) {
  widest = Math.max(widest, Math.abs(low), Math.abs(high));
  const x = (value) => 50 + (49 * value) / widest;
  const svg = drawn("svg", { class: "span", viewBox: "0 0 100 6", preserveAspectRatio: "none", "aria-hidden": "true" });
  svg.append(
    drawn("rect", { class: "rail", width: 100, height: 6 }),
    drawn("rect", { class: "ends", x: x(low), width: Math.max(0.5, x(high) - x(low)), height: 6 }),
    drawn("rect", { class: "tick", x: 49.8, width: 0.4, height: 6 }));
  return svg;
}

async function estimate() {
  const answer = await fetch(`${api}/progress`).catch(() => null);
  if (!answer?.ok) return;
  const found = await answer.json();
  count(found);
  const lines = (found.estimate.differences ?? []).map((one) => {
    const line = document.createElement("p");
    const name = document.createElement("bdi");
    name.textContent = one.pair;
    line.append(`${one.metric} of `, name, `: ${one.value} (${one.range})`, interval(one));
    return line;
  });
  if (lines.length) lines.unshift(heading(`Difference by ${found.estimate.answers.toLocaleString("en")} clear answers`));
  at("estimate").replaceChildren(...(lines.length ? lines : [found.estimate.reason ?? ""]));
}

function heading(text) {
  const made = document.createElement("h2");
  made.textContent = text;
  return made;
}

if (at("estimate")) {
  setInterval(() => document.hidden || at("ask").hidden || estimate(), 4000);
  estimate();
}
start();
