// Blocks of packed columns, as arena/report/packed.py writes them: gzip in base64 of a line of JSON and planes of bytes.

const NEARLY = [0.00001, 0.99999, -0.00001, -0.99999]; // as in columns.py

/** The bytes of a block in this page. */
async function inflated(id) {
  const text = atob(byId(id).textContent);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i += 1) bytes[i] = text.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Columns by name, each unpacked when it is first asked for; undefined where the block has none of that name. */
class Block {
  constructor(bytes) {
    const end = bytes.indexOf(10);
    this.bytes = bytes;
    this.columns = new Map();
    let start = end + 1;
    for (const told of JSON.parse(new TextDecoder().decode(bytes.subarray(0, end)))) {
      this.columns.set(told.name, { ...told, start });
      start += told.length * told.bytes;
    }
  }

  column(name) {
    const told = this.columns.get(name);
    if (told === undefined) return undefined;
    told.values ??= unpacked(told, codesOf(this.bytes, told));
    return told.values;
  }
}

/** Little end first, a plane a byte. */
function codesOf(bytes, { start, length, bytes: width }) {
  const codes = new Int32Array(length);
  for (let byte = 0; byte < width; byte += 1) {
    const plane = start + byte * length;
    for (let i = 0; i < length; i += 1) codes[i] |= bytes[plane + i] << (8 * byte);
  }
  return codes;
}

/** Code 0 is null, for what is undefined, in every type. */
function unpacked({ type, of }, codes) {
  const values = { integer: (code) => code - 1, listed: (code) => of[code - 1], figure: figureOf }[type];
  return Array.from(codes, (code) => (code === 0 ? null : values(code)));
}

function figureOf(code) {
  return code <= NEARLY.length ? NEARLY[code - 1] : (code - 1 - NEARLY.length - 10000) / 10000;
}
