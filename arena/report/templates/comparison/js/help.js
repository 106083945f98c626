// The search language by examples, of which those stand here that this page can answer.

/** [[heading, [[term, what it finds], ...]], ...] */
function queryExamples() {
  const comparison = comparisons[0];
  const last = models.length - 1;
  const category = tags.category.find((name) => name && !/["\s]/.test(name));
  const name = tags.name.find((text) => /^\w+$/.test(text) && text.length < 20) ?? "tree";
  const word = name.split("_")[0];
  const names = [
    [word, "names that contain it; several words must all occur"], [`-${word}`, "all but these; works before every term"],
    [`"${name}"`, "as written, with spaces or signs"], [`name:${name}`, "the whole name"],
    ...(category ? [[`cat:${category}`, "tags of a category"]] : []), ["is:compared", "tags that enter the means"],
  ];
  const numbers = [
    ["sup>50", "more than 50 positive images"], ["f1>=0.8", `F1 of any tagger; likewise ${[...FIGURES.map(({ key }) => key).filter((key) => key !== "f1"), "tp", "fp", "fn", "tn"].join(", ")}`],
    [`${calledInQueries(last)}.ap<0.5`, "AP of this tagger; #1 is the first, #2 the second"],
  ];
  const differences = comparison ? [["d<-0.05", "difference between the two compared"], ["|d|>0.1", "the same, whichever is higher"]] : [];
  const tested = comparison?.tested ? [
    ["q<0.01", "differences that are surer than that"], ["is:undetermined", `q above ${DECIDED}`], ["is:decided", `q up to ${DECIDED}`],
    [`better:${calledInQueries(comparison.first)}`, "decided, and this tagger is higher"],
  ] : [];
  return [["Names", names], ["Figures", numbers], ["Two taggers", [...differences, ...tested]]].filter(([, terms]) => terms.length);
}

/** A tagger as a term can name it. */
function calledInQueries(model) {
  const { name } = models[model];
  if (/^[\w-]+$/.test(name)) return name;
  return /["\n]/.test(name) || name.length > 40 ? `#${model + 1}` : `"${name}"`;
}

/** Fill the box of help; `choose(term)` takes an example that the reader picks. */
function fillQueryHelp(box, choose) {
  const parts = queryExamples().flatMap(([heading, terms]) => [
    el("h3", {}, heading),
    el("ul", {}, ...terms.map(([term, told]) => {
      const button = el("button", { type: "button", class: "example" }, el("code", {}, term));
      button.addEventListener("click", () => choose(term));
      return el("li", {}, button, el("span", {}, told));
    })),
  ]);
  box.append(...parts, el("p", { class: "hint" }, "Terms are joined by spaces, and all must hold; < <= > >= and = compare. Choose one to add it to the search."));
}
