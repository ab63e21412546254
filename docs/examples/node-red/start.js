// On Start of the function node "plant". Above it stands docs/examples/node/dots.mjs; what is kept is of this node alone.

const environment = env.get("DOTBUS_ENVIRONMENT") || "production";
const ticks = () => hooks.performance.now() / 1000; // Setup, Modules: perf_hooks, as `hooks`
Object.assign(globalThis, {
  environment,
  dots: new Dots(environment, { ticks }),
  topics: new Map(), // by `dot` topic: the last reading that was passed on
  instructions: new Map(), // by `instructions` topic: the latest message
  asked: new Map(), // by command_id: who waits for the reply, and since when
});
