// Text as search compares it. Query and names go through the same function.

const DIACRITICS = /[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]/g;

/** A text without accents, without upper case, and with full-width and other compatibility forms as their plain forms. The marks
    of other scripts, such as が and Devanagari vowels, make other letters and stay. Upper case first, so that ß is ss and ς is σ. */
function folded(text) {
  if (/^[\x20-\x7e]*$/.test(text)) return text.toLowerCase();
  const plain = text.normalize("NFKD").replace(DIACRITICS, "").normalize("NFKC");
  return plain.toUpperCase().toLowerCase().replaceAll("ς", "σ");
}
