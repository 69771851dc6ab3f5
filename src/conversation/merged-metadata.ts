import { validationFailed } from '../http/index.js';
import { metadata as metadataSchema } from '../responder/index.js';
import { mergePatch } from '../session/index.js';

/**
 * Applies a merge patch to the metadata of a conversation or message.
 * @throws ProblemError 400 if the result exceeds the limits
 */
export function mergedMetadata(
  metadata: Record<string, unknown>,
  patch: Record<string, unknown> | null,
): Record<string, unknown> {
  if (patch === null) return {};
  const merged = mergePatch(metadata, patch);
  const checked = metadataSchema.safeParse(merged);
  if (checked.success) return merged;
  throw validationFailed(
    checked.error.issues.map(({ message }) => ({ path: 'metadata', message: `after the merge, ${message}` })),
  );
}
