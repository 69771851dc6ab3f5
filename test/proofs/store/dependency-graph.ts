/**
 * How one transaction depends on another. write: it replaced the version written by the other. read: it read
 * the version written by the other. anti: it replaced the version that the other had read. time: it started
 * after the other had ended.
 */
export type Dependency = 'write' | 'read' | 'anti' | 'time';

interface Edge {
  to: number;
  why: Dependency;
}

/**
 * Dependencies between transactions, and the cycles that show which level of isolation was violated. Snapshot
 * isolation allows a cycle only if it contains two consecutive anti-dependencies; all other cycles are
 * violations (Adya's G0, G1c, G-single and similar).
 */
export class DependencyGraph {
  private readonly edges = new Map<number, Edge[]>();

  /** Records that `from` precedes `to`. */
  add(from: number, to: number, why: Dependency): void {
    if (from === to) return;
    const known = this.edges.get(from);
    if (known) known.push({ to, why });
    else this.edges.set(from, [{ to, why }]);
    if (!this.edges.has(to)) this.edges.set(to, []);
  }

  /**
   * Returns cycles without two consecutive anti-dependencies, one for each group of transactions that has
   * such a cycle.
   */
  forbiddenCycles(): string[] {
    // Node 2n is transaction n reached by any other dependency. Node 2n + 1 is transaction n reached by an
    // anti-dependency, after which a second anti-dependency must not follow.
    const next = (node: number): Edge[] =>
      this.edgesOf(node >> 1).flatMap(({ to, why }): Edge[] => {
        if (why !== 'anti') return [{ to: to * 2, why }];
        return node % 2 === 1 ? [] : [{ to: to * 2 + 1, why }];
      });
    const nodes = [...this.edges.keys()].flatMap((id) => [id * 2, id * 2 + 1]);
    return components(nodes, (node) => next(node).map(({ to }) => to))
      .filter((group) => group.length > 1)
      .map((group) => describeCycle(group, next));
  }

  /** Groups of transactions in cycles, not counting cycles that need a dependency in time. */
  cyclicGroups(): number[][] {
    const next = (node: number): number[] =>
      this.edgesOf(node)
        .filter(({ why }) => why !== 'time')
        .map(({ to }) => to);
    return components([...this.edges.keys()], next).filter((group) => group.length > 1);
  }

  private edgesOf(id: number): Edge[] {
    return this.edges.get(id) ?? [];
  }
}

function describeCycle(
  group: readonly number[],
  next: (node: number) => { to: number; why: Dependency }[],
): string {
  const inside = new Set(group);
  const start = group[0] ?? 0;
  const cameBy = new Map<number, { from: number; why: Dependency }>();
  const queue = [start];
  for (let at = 0; at < queue.length && !cameBy.has(start); at++) {
    const node = queue[at] ?? start;
    for (const { to, why } of next(node)) {
      if (!inside.has(to) || cameBy.has(to)) continue;
      cameBy.set(to, { from: node, why });
      queue.push(to);
    }
  }
  const parts: string[] = [];
  let node = start;
  do {
    const step = cameBy.get(node);
    if (!step) break;
    parts.unshift(`-${step.why}-> ${nameOf(node)}`);
    node = step.from;
  } while (node !== start);
  return `${nameOf(start)} ${parts.join(' ')}`;
}

/** Negative ids denote the moments between transactions. */
const nameOf = (node: number): string => (node < 0 ? 'later' : `T${node >> 1}`);

/** Strongly connected components (Tarjan's, without recursion). */
function components(nodes: readonly number[], next: (node: number) => number[]): number[][] {
  const indexOf = new Map<number, number>();
  const low = new Map<number, number>();
  const open = new Set<number>();
  const stack: number[] = [];
  const found: number[][] = [];
  const enter = (node: number): { node: number; rest: number[] } => {
    indexOf.set(node, indexOf.size);
    low.set(node, indexOf.size - 1);
    stack.push(node);
    open.add(node);
    return { node, rest: next(node) };
  };
  const lower = (node: number, to: number | undefined): void => {
    low.set(node, Math.min(low.get(node) ?? Infinity, to ?? Infinity));
  };
  const leave = (node: number): void => {
    if (low.get(node) !== indexOf.get(node)) return;
    const group: number[] = [];
    for (let member = stack.pop(); member !== undefined; member = stack.pop()) {
      open.delete(member);
      group.push(member);
      if (member === node) break;
    }
    found.push(group);
  };
  for (const root of nodes) {
    if (indexOf.has(root)) continue;
    const frames = [enter(root)];
    for (let frame = frames.at(-1); frame; frame = frames.at(-1)) {
      const to = frame.rest.pop();
      if (to === undefined) {
        frames.pop();
        leave(frame.node);
        const parent = frames.at(-1);
        if (parent) lower(parent.node, low.get(frame.node));
      } else if (!indexOf.has(to)) frames.push(enter(to));
      else if (open.has(to)) lower(frame.node, indexOf.get(to));
    }
  }
  return found;
}
