// Pictures of images: some are embedded in this file, the others are in a folder next to it. The style sheet blurs every picture
// not rated general or safe, before any script runs, until the reader reveals one picture or all.

const hasPictures = data.pictures.inside + data.pictures.beside > 0;
const REVEALED = "arena: show blurred pictures";

let imageBlock = null;
let unpacking = null;
let besideThere = null;

/** Unpack the evidence block once; afterwards `imageBlock` is set. */
function loadImages() {
  unpacking ??= inflated("evidence-block").then((bytes) => {
    imageBlock = new Block(bytes);
  });
  return unpacking;
}

function imageId(image) {
  return imageBlock.column("images")[image];
}

/** The picture of an image in a square frame; an empty frame if there is none. */
function pictureFrame(image, alt) {
  const [inside, file] = ["inside", "file"].map((name) => imageBlock.column(`picture.${name}`)[image]);
  if (inside === null && file === null) return emptyFrame();
  const rating = imageBlock.column("picture.rating")[image];
  const picture = el("img", { alt: `${clipped(imageId(image), 80)}, ${alt}, rated ${rating}`, loading: "lazy", decoding: "async" });
  const frame = imageBlock.column("picture.open")[image] ? el("span", { class: "frame open" }, picture) : veiled(picture, rating);
  if (inside !== null) picture.src = `data:${data.pictures.type};base64,${picturesInside()[inside]}`;
  else showBeside(picture, `${data.pictures.folder}/${file}`, () => frame.replaceWith(emptyFrame()));
  return frame;
}

function picturesInside() {
  picturesInside.lines ??= byId("picture-block").textContent.split("\n");
  return picturesInside.lines;
}

/** Load a picture of the folder. Browsers log every missing file, so the first picture is tried alone: if it is missing, the
    page was copied without its folder, and no other picture is requested. */
function showBeside(picture, address, missing) {
  besideThere ??= new Promise((resolve) => {
    const first = new Image();
    first.addEventListener("load", () => resolve(true));
    first.addEventListener("error", () => resolve(false));
    first.src = address;
  });
  picture.addEventListener("error", missing);
  besideThere.then((there) => (there ? (picture.src = address) : missing()));
}

/** The checkboxes that show all blurred pictures act as one. The choice is stored in the browser, never in the address. */
function offerReveal() {
  const boxes = [...document.querySelectorAll(".reveal-all input")];
  const reveal = (shown) => {
    document.body.classList.toggle("revealed", shown);
    for (const box of boxes) box.checked = shown;
  };
  for (const box of boxes) {
    box.parentElement.hidden = false;
    box.addEventListener("change", () => {
      reveal(box.checked);
      keep(REVEALED, box.checked);
    });
  }
  reveal(boxes.length > 0 && kept(REVEALED));
}

/** Whether a choice is stored. Storage can be denied, especially to pages from disk. */
function kept(name) {
  try {
    return window.localStorage.getItem(name) === "true";
  } catch {
    return false;
  }
}

function keep(name, value) {
  try {
    window.localStorage.setItem(name, String(value));
  } catch {
    // The choice then holds only while this page is open.
  }
}

/** Pictures far from the screen are loaded late; paper needs all. */
window.addEventListener("beforeprint", () => {
  for (const picture of document.querySelectorAll("img[loading=lazy]")) picture.loading = "eager";
});

offerReveal();
