// Fetch the compressed files of the page.

/**
 * Fetch a gzip file and return its content, decompressed.
 * @param told (done) => void with done in [0, 1]
 */
export async function unpacked(url, told = () => {}) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url} could not be loaded (${answer.status})`);
  const total = Number(answer.headers.get("content-length"));
  let loaded = 0;
  const counter = new TransformStream({
    transform(part, sink) {
      loaded += part.length;
      if (total) told(Math.min(1, loaded / total));
      sink.enqueue(part);
    },
  });
  const bytes = await collected(answer.body.pipeThrough(counter));
  // some servers declare such a file as compressed, so that the browser has decompressed it already
  const packed = bytes[0] === 0x1f && bytes[1] === 0x8b;
  return packed
    ? collected(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip")))
    : bytes;
}

async function collected(stream) {
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
