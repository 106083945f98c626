// Reads the shards of arena/report/site/shards.py: scripts beside the page, because a page from disk may read no other file.

const facts = JSON.parse(byId("facts").textContent);
const shardsRead = new Map();

/** A shard calls this while it runs. */
window.arenaTags = (text) => {
  document.currentScript.block = text;
};

/** The shard of a slug: FNV-1a of 32 bits, as in shards.py. */
function shardOf(slug) {
  let hash = 0x811c9dc5;
  for (let i = 0; i < slug.length; i += 1) hash = Math.imul(hash ^ slug.charCodeAt(i), 0x01000193);
  return (hash >>> 0) % facts.shards;
}

/** A promise of the columns of a shard, which is loaded once; it fails if the file is missing. */
function loadShard(number) {
  if (!shardsRead.has(number)) shardsRead.set(number, scriptRun(`tags/data/${number}.js`).then(unpackedShard));
  return shardsRead.get(number);
}

function scriptRun(src) {
  return new Promise((resolve, reject) => {
    const script = el("script", { src });
    script.addEventListener("load", () => resolve(script.block));
    script.addEventListener("error", () => reject(new Error(`${src} cannot be loaded`)));
    document.head.append(script);
  });
}

async function unpackedShard(text) {
  return new Block(await unzipped(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))));
}

/** The rows of a tag in a table of a shard, as objects with these columns. */
function shardRows(shard, table, tag, names) {
  const of = shard.column(`${table}.tag`) ?? [];
  const columns = names.map((name) => [name, shard.column(`${table}.${name}`)]);
  const rows = [];
  for (let row = of.indexOf(tag); row >= 0 && of[row] === tag; row += 1) {
    rows.push(Object.fromEntries(columns.map(([name, values]) => [name, values[row]])));
  }
  return rows;
}
