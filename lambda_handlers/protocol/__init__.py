"""What keeps one run consistent: names, job registry, waiting, lock, fingerprint, pointer and ledger.

Every module works on an :class:`~lambda_handlers.protocol.store.ItemStore`, takes time from
:mod:`~lambda_handlers.protocol.clock`, and may be stopped between any two of its effects: the next call, or the
reconciler, takes up where it left off.
"""
