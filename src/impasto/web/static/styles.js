// The list of styles.

/** The style named in the address (`#adele`), or the first one. */
export function choose({ styles }) {
  const wanted = decodeURIComponent(location.hash.slice(1));
  return styles.find(({ name }) => name === wanted) ?? styles[0];
}

/** Fill the list with one radio button a style; `chosen` is called with the style that is pressed. */
export function fill(list, title, { styles }, current, chosen) {
  title.textContent = current.title;
  for (const style of styles) {
    const label = document.createElement("label");
    const radio = Object.assign(document.createElement("input"), {
      type: "radio", name: "style", value: style.name, checked: style === current,
    });
    radio.setAttribute("aria-label", style.title);
    const picture = document.createElement(style.thumbnail ? "img" : "span");
    picture.className = "picture";
    if (style.thumbnail) Object.assign(picture, { src: style.thumbnail, alt: "", loading: "lazy" });
    const name = document.createElement("span");
    name.className = "name";
    name.textContent = style.name.replace(/-lite$/, "").replaceAll("-", " ");
    label.append(radio, picture, name);
    label.title = style.title;
    radio.addEventListener("change", () => {
      title.textContent = style.title;
      history.replaceState(null, "", `#${encodeURIComponent(style.name)}`);
      chosen(style);
    });
    list.append(label);
  }
}
