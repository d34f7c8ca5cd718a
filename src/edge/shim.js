// What workerd calls. A Wasm instance that has trapped is replaced at the next call by the glue of
// wasm-bindgen, as entry.rs asks for. What is left to do here: Durable Objects are made anew in it.

import * as wasm from "./index.js";

export default {
  fetch: wasm.fetch,
  scheduled: wasm.scheduled,
};

export class Lane {
  constructor(state, env) {
    this.make = () => new wasm.Lane(state, env);
  }

  get lane() {
    const instance = wasm.instance();
    if (this.madeIn !== instance) {
      this.made = this.make();
      this.madeIn = instance;
    }
    return this.made;
  }

  fetch(request) {
    return this.lane.fetch(request);
  }

  alarm() {
    return this.lane.alarm();
  }
}
