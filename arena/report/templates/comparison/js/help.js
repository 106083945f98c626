// Examples of the search language that work on this page.

/** Examples: [[heading, [[term, description], ...]], ...] */
function queryExamples() {
  const comparison = bestComparison;
  const last = models.length - 1;
  const category = tags.category.find((name) => name && !/["\s]/.test(name));
  const name = tags.name.find((text) => /^\w+$/.test(text) && text.length < 20) ?? "tree";
  const word = name.split("_")[0];
  const names = [
    [word, "names that contain it; several words must all match"], [`-${word}`, "excludes them; works before every term"],
    [`"${name}"`, "names that contain exactly this text, with spaces or symbols"], [`name:${name}`, "the whole name"],
    ...(category ? [[`cat:${category}`, "tags of a category"]] : []), ["is:compared", "tags that are in the means"],
  ];
  const numbers = [
    ["sup>50", "more than 50 positive images"], ["f1>=0.8", `F1 of any tagger; also ${[...FIGURES.map(({ key }) => key).filter((key) => key !== "f1"), "tp", "fp", "fn", "tn"].join(", ")}`],
    [`${queryName(last)}.ap<0.5`, "AP of this tagger; #1 is the first, #2 the second"],
  ];
  const differences = comparison ? [["d<-0.05", "difference of the two compared taggers"], ["|d|>0.1", "absolute difference"]] : [];
  const tested = comparison?.tested ? [
    ["q<0.01", "differences with q below 0.01"], ["is:undetermined", `q above ${DECIDED}`], ["is:decided", `q at most ${DECIDED}`],
    [`better:${queryName(comparison.first)}`, "decided, and this tagger is higher"],
  ] : [];
  return [["Names", names], ["Metrics", numbers], ["Two taggers", [...differences, ...tested]]].filter(([, terms]) => terms.length);
}

/** The name of a tagger in a search term. */
function queryName(model) {
  const { name } = models[model];
  if (/^[\w-]+$/.test(name)) return name;
  return /["\n]/.test(name) || name.length > 40 ? `#${model + 1}` : `"${name}"`;
}

/** Fill the help box; `choose(term)` is called with the example that the reader picks. */
function fillQueryHelp(box, choose) {
  const parts = queryExamples().flatMap(([heading, terms]) => [
    el("h3", {}, heading),
    el("ul", {}, ...terms.map(([term, description]) => {
      const button = el("button", { type: "button", class: "example" }, el("code", {}, term));
      button.addEventListener("click", () => choose(term));
      return el("li", {}, button, el("span", {}, description));
    })),
  ]);
  box.append(...parts, el("p", { class: "hint" }, "Separate terms by spaces; all must match. Comparisons are < <= > >= and =. Click an example to add it to the search."));
}
