/**
 * The future events of a world, in a heap by its clock. Events of one millisecond happen in the order in which they were
 * added, so that a seed always replays the same world.
 */
type Event = { atMs: number; order: number; act: () => void };

export class EventQueue {
  readonly #heap: Event[] = [];
  #added = 0;

  add(atMs: number, act: () => void): void {
    const heap = this.#heap;
    let place = heap.push({ atMs, order: this.#added++, act }) - 1;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (!this.#before(place, parent)) return;
      this.#swap(place, parent);
      place = parent;
    }
  }

  /** When the next event happens; Infinity when there is none. */
  get nextAtMs(): number {
    return this.#heap[0]?.atMs ?? Number.POSITIVE_INFINITY;
  }

  /** Removes and returns the next event; undefined when there is none. */
  next(): Event | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    heap[0] = last;
    for (let place = 0; ; ) {
      let least = place;
      for (const child of [2 * place + 1, 2 * place + 2]) {
        if (child < heap.length && this.#before(child, least)) least = child;
      }
      if (least === place) return first;
      this.#swap(place, least);
      place = least;
    }
  }

  #before(a: number, b: number): boolean {
    const [left, right] = [this.#heap[a] as Event, this.#heap[b] as Event];
    return left.atMs < right.atMs || (left.atMs === right.atMs && left.order < right.order);
  }

  #swap(a: number, b: number): void {
    const heap = this.#heap;
    [heap[a], heap[b]] = [heap[b] as Event, heap[a] as Event];
  }
}
