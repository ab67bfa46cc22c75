import assert from "node:assert";
import { test } from "node:test";
import { Guestbook } from "../guestbook.js";

test("the latest guest comes first, and names are text", () => {
  const book = new Guestbook();
  book.sign("Ada");
  book.sign("<b>");
  assert.match(book.page(), /<li>&lt;b&gt;<\/li><li>Ada<\/li>/);
});
