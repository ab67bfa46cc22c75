import { randomInt } from "node:crypto";
import { Fault } from "#base";

const adjectives =
  "able agile airy amber ample apt awake balmy beaming bold brave breezy bright brisk calm candid cheery civil clear clever cosy crisp curious daring deft dewy eager early earnest easy even fair fleet fond frank free fresh gentle glad golden grand green handy happy hardy hearty honest humble jolly keen kind lively lucid lucky mellow merry mild misty modest neat nimble noble patient placid plucky polite proud quick quiet ready robust rosy serene sharp shiny silent sleek smooth snug sober spry stable steady stout sunny swift tidy tranquil true upbeat vivid warm wise witty zesty".split(
    " ",
  );

/** People who shaped computing, measuring and sewing. */
const surnames =
  "abel adleman allen backus babbage bartik beck berners boole bourne cerf chomsky church clarke codd cooper corbato cray curie darwin dijkstra edwards engelbart erdos euler faraday fermat feynman floyd franklin galois gauss germain goldberg gosling hamilton hamming hilbert hoare hollerith holberton hopper howe huffman jacquard johnson kahn kay kepler kernighan keller kilby klein knuth lamarr lamport leibniz licklider liskov lovelace mauchly maxwell mccarthy meitner milner minsky mirzakhani moore morris napier naur newton noether pascal perlis perlman pike planck ramanujan ritchie rivest shamir shannon shaw simon singer spence stallman sutherland tarjan tesla thompson torvalds turing ullman vaughan wilkes wilkinson wirth wozniak zuse".split(
    " ",
  );

/** A made-up name that is not taken ("nimble_hopper"); after some tries with a number behind it. */
export function makeUpName(isTaken: (name: string) => boolean): string {
  for (let attempt = 0; ; attempt++) {
    const pair = `${adjectives[randomInt(adjectives.length)]}_${surnames[randomInt(surnames.length)]}`;
    const name = attempt < 6 ? pair : `${pair}${randomInt(10 ** Math.min(6, attempt - 4))}`;
    if (!isTaken(name)) return name;
  }
}

/**
 * A container's name as the user gave it, without its leading slash; `invalid`, in Docker's words,
 * for any other text.
 */
export function parseName(text: string): string {
  const name = text.startsWith("/") ? text.slice(1) : text;
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name)) {
    throw new Fault(
      "invalid",
      `Invalid container name (${text}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
      { about: text },
    );
  }
  return name;
}
