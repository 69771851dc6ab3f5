/**
 * How one transaction depends on another. write: it replaced the other's version; read: it read the other's version; anti:
 * the other replaced the version it read; time: it began after the other had ended.
 */
export type Dependency = 'write' | 'read' | 'anti' | 'time';

interface Edge {
  to: number;
  why: Dependency;
}

/**
 * Dependencies between transactions, and the cycles that tell what isolation was broken. Every cycle has an anti-dependency
 * that is followed by another, or it is none that snapshot isolation allows (Adya's G0, G1c, G-single and their like).
 */
export class DependencyGraph {
  private readonly edges = new Map<number, Edge[]>();

  /** `from` comes before `to`. */
  add(from: number, to: number, why: Dependency): void {
    if (from === to) return;
    const known = this.edges.get(from);
    if (known) known.push({ to, why });
    else this.edges.set(from, [{ to, why }]);
    if (!this.edges.has(to)) this.edges.set(to, []);
  }

  /** Cycles in which no two anti-dependencies follow each other, one of each group of transactions that has any. */
  forbiddenCycles(): string[] {
    // Node 2n is transaction n entered by anything, 2n + 1 entered by an anti-dependency, which no other may follow.
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

  /** Groups of transactions in cycles of any kind but those that time alone closes. */
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

/** Negative ids are the moments between transactions. */
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
