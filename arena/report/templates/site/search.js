// Search in the tag index: finds names that contain every typed word; names that start with the first word come first.

const SHOWN = 200;

const body = byId("found").tBodies[0];
const first = [...body.rows];
const title = byId("most-title").textContent;
const entries = JSON.parse(new TextDecoder().decode(await inflated("names")));
const names = entries.map((entry) => folded(entry[0]));

function found(text) {
  const words = text.split(/\s+/).filter(Boolean);
  const begins = [];
  const holds = [];
  names.forEach((name, i) => {
    if (words.every((word) => name.includes(word))) (name.startsWith(words[0]) ? begins : holds).push(i);
  });
  return [...begins, ...holds];
}

function row([name, slug, category, support, ap, runs]) {
  const link = el("a", { class: "cut", href: `../tag.html#${slug || name}` }, isolated(name));
  const number = (text) => el("td", { class: "num" }, text);
  return el(
    "tr", {}, el("th", { scope: "row" }, link), el("td", {}, isolated(category)), number(support.toLocaleString("en")), number(ap),
    number(String(runs)),
  );
}

function show() {
  const text = folded(byId("query").value.trim());
  const places = text ? found(text) : [];
  const more = places.length > SHOWN ? `, ${SHOWN} shown` : "";
  byId("status").textContent = text ? `${places.length.toLocaleString("en")} of ${entries.length.toLocaleString("en")}${more}` : "";
  byId("most-title").textContent = text ? "Found" : title;
  body.replaceChildren(...(text ? places.slice(0, SHOWN).map((i) => row(entries[i])) : first));
}

byId("search").hidden = false;
byId("query").addEventListener("input", show);
show(); // the browser may have kept the typed text
