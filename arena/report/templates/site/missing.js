// Addresses of earlier versions: a tag had a page `tags/SLUG.html`, and a run had more files.

{
  const { pathname, origin } = window.location;
  const [, top, slug] = /^(.*\/)tags\/([a-z0-9][a-z0-9_()~-]*)\.html$/.exec(unescaped(pathname)) ?? [];
  const [, run, file] = /^(.*\/runs\/[^/]+\/)(.+)$/.exec(pathname) ?? [];
  if (slug && slug !== "index") window.location.replace(`${origin}${top}tag.html#${slug}`);
  else if (run && file !== "index.html") window.location.replace(`${origin}${run}index.html`);

  function unescaped(path) {
    try {
      return decodeURI(path).replaceAll("%7E", "~");
    } catch {
      return path;
    }
  }
}
