import { createServer } from "node:http";
import { Guestbook } from "./guestbook.js";

const book = new Guestbook();

const server = createServer((request, response) => {
  const url = new URL(request.url ?? "/", "http://localhost");
  if (request.method === "POST" && url.pathname === "/sign") {
    book.sign(url.searchParams.get("name") ?? "");
    response.writeHead(303, { Location: "/" }).end();
    return;
  }
  response.writeHead(200, { "Content-Type": "text/html" }).end(book.page());
});

server.listen(3000);
process.on("SIGTERM", () => process.exit(0));
