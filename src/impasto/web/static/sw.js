// Keeps the page's files, so that it works without a network once they have been loaded.
// It also adds the two headers that let a page use several threads, for servers that do not.

importScripts("files.js");
const CACHE = `impasto-${self.FILES.version}`;

self.addEventListener("install", (event) => {
  const fresh = self.FILES.first.map((name) => new Request(name, { cache: "no-cache" }));
  const page = new Request("./", { cache: "no-cache" });
  event.waitUntil(
    caches.open(CACHE)
      .then((cache) => cache.addAll([page, ...fresh]))
      .then(() => self.skipWaiting()),
  );
});

self.addEventListener("activate", (event) => {
  const old = (name) => name.startsWith("impasto-") && name !== CACHE;
  event.waitUntil(
    caches.keys()
      .then((names) => Promise.all(names.filter(old).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  );
});

async function answer(request) {
  const cache = await caches.open(CACHE);
  let found = await cache.match(request, { ignoreSearch: true });
  if (!found) {
    found = await fetch(request);
    if (found.ok) await cache.put(request, found.clone());
  }
  return isolated(found);
}

function isolated(response) {
  const headers = new Headers(response.headers);
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  const { status, statusText } = response;
  return new Response(response.body, { status, statusText, headers });
}

self.addEventListener("fetch", (event) => {
  const own = new URL(event.request.url).origin === self.location.origin;
  if (own && event.request.method === "GET") event.respondWith(answer(event.request));
});
