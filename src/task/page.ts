/** A page of a list. */
export interface Page<T> {
  items: T[];
  /** Opaque; null when there is no more. */
  nextToken: string | null;
}
