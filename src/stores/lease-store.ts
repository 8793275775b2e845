/**
 * Exclusive claims with an owner and an expiry: the only claim mechanism there is. Times are milliseconds since 1970.
 * From `expiresAtMs` on a lease is nobody's, though its record stays until someone takes or releases it.
 */
export interface LeaseStore {
  /**
   * Takes the lease when it is free, expired, or already this owner's. An owner with an older epoch than the record's never gets
   * it. Returns the record as it is now, whoever's it is.
   */
  acquire(
    name: string,
    claim: { owner: string; epoch: number; ttlMs: number },
  ): Promise<{ acquired: boolean; lease: Lease }>;
  /** Moves the expiry. False when the lease is no longer this owner's and epoch's: taken, released or expired. */
  renew(name: string, claim: { owner: string; epoch: number; ttlMs: number }): Promise<boolean>;
  /** False when the record isn't this owner's and epoch's. */
  release(name: string, claim: { owner: string; epoch: number }): Promise<boolean>;
  get(name: string): Promise<Lease | undefined>;
  /** Records whose name starts with `prefix`, expired ones too, by name. */
  list(prefix: string): Promise<Lease[]>;
}

export interface Lease {
  name: string;
  owner: string;
  epoch: number;
  expiresAtMs: number;
}
