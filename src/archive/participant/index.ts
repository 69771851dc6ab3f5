/**
 * Erasing and exporting everything of one participant. A module that holds something of participants imports
 * `ParticipantDataModule` and contributes to `ParticipantDataRegistry`.
 */
export { ErasedIdStore } from './erased-id-store.js';
export {
  type Counts,
  type ExportedDocument,
  type Later,
  type LaterSource,
  type ParticipantData,
  ParticipantDataRegistry,
} from './participant-data.js';
export { erasureUnfinished } from './participant-data.errors.js';
export { ParticipantDataModule } from './participant-data.module.js';
export { ParticipantEraser, type Receipt } from './participant-eraser.js';
export { ParticipantHashes } from './participant-hashes.js';
