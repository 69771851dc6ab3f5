import { isDoc } from '../values/bson.js';
import type { Doc } from '../values/bson.js';

/** The paths in an update with operators. Positional components are kept as given. */
export interface TouchedPaths {
  readonly paths: readonly string[];
  /** Paths in `$push` and `$addToSet`: arrays that may have grown at the end. */
  readonly appended: readonly string[];
  /** Estimated memory of the paths. */
  readonly bytes: number;
}

export const touchedPaths = (update: Doc): TouchedPaths => {
  const paths: string[] = [];
  const appended: string[] = [];
  let bytes = 64;
  for (const operator of Object.keys(update)) {
    const fields = update[operator];
    if (!isDoc(fields)) continue;
    const target = operator === '$push' || operator === '$addToSet' ? appended : paths;
    for (const path of Object.keys(fields)) {
      target.push(path);
      bytes += 32 + path.length;
      const to = operator === '$rename' ? fields[path] : undefined;
      if (typeof to === 'string') paths.push(to);
    }
  }
  return { paths, appended, bytes };
};
