// Reads the blocks of arena/report/page/packed.py: gzip in base 85 of a line of JSON and byte planes.

const NEARLY = [0.00001, 0.99999, -0.00001, -0.99999]; // as in columns.py

const SIGNS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%]()*+-;[=:?@^_`{|}~"; // as in packed.py

/** The decompressed bytes of a block in this page. */
function inflated(id) {
  return unzipped(bytesOf(byId(id).textContent));
}

async function unzipped(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Decode base 85: five digits are four bytes; a shorter last group is padded with the highest digit. */
function bytesOf(text) {
  const digits = new Uint8Array(128).fill(84);
  for (let digit = 0; digit < SIGNS.length; digit += 1) digits[SIGNS.charCodeAt(digit)] = digit;
  const groups = Math.ceil(text.length / 5);
  const bytes = new DataView(new ArrayBuffer(4 * groups));
  for (let group = 0; group < groups; group += 1) {
    let value = 0;
    for (let i = 5 * group; i < 5 * group + 5; i += 1) value = 85 * value + (i < text.length ? digits[text.charCodeAt(i)] : 84);
    bytes.setUint32(4 * group, value);
  }
  return new Uint8Array(bytes.buffer, 0, Math.floor((4 * text.length) / 5));
}

/** Columns by name, each unpacked on first use; undefined if the block has no column of that name. */
class Block {
  constructor(bytes) {
    const end = bytes.indexOf(10);
    this.bytes = bytes;
    this.columns = new Map();
    let start = end + 1;
    for (const header of JSON.parse(new TextDecoder().decode(bytes.subarray(0, end)))) {
      this.columns.set(header.name, { ...header, start });
      start += header.length * header.bytes;
    }
  }

  column(name) {
    const column = this.columns.get(name);
    if (column === undefined) return undefined;
    column.values ??= unpacked(column, codesOf(this.bytes, column));
    return column.values;
  }
}

/** The codes of a column from its byte planes, least significant byte first. */
function codesOf(bytes, { start, length, bytes: width }) {
  const codes = new Int32Array(length);
  for (let byte = 0; byte < width; byte += 1) {
    const plane = start + byte * length;
    for (let i = 0; i < length; i += 1) codes[i] |= bytes[plane + i] << (8 * byte);
  }
  return codes;
}

/** The values of codes; code 0 is null (undefined) in every type. */
function unpacked({ type, of }, codes) {
  const values = { integer: (code) => code - 1, listed: (code) => of[code - 1], figure: figureOf }[type];
  return Array.from(codes, (code) => (code === 0 ? null : values(code)));
}

function figureOf(code) {
  return code <= NEARLY.length ? NEARLY[code - 1] : (code - 1 - NEARLY.length - 10000) / 10000;
}
