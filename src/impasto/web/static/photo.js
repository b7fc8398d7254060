// Where photos come from: a file, a drop, the clipboard.

/** Open an image file upright, as an ImageBitmap. */
export async function opened(file) {
  try {
    return await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    throw new Error(`${file.name || "This"} is no picture that this browser can read.`);
  }
}

/** Call `take` with every image file that is chosen, dropped on the page, or pasted. */
export function listen(input, stage, take) {
  const first = (list) => {
    const files = [...(list ?? [])];
    return files.find((file) => file.type.startsWith("image/")) ?? files[0];
  };
  const given = (list) => {
    const file = first(list);
    if (file) take(file);
  };
  input.addEventListener("change", () => {
    given(input.files);
    input.value = ""; // so that the same file can be chosen again
  });
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    stage.classList.add("over");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) stage.classList.remove("over");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    stage.classList.remove("over");
    given(event.dataTransfer.files);
  });
  document.addEventListener("paste", (event) => given(event.clipboardData?.files));
}
