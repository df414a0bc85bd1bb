"""What people and programs are told of a customization: derived from the ledger, one message for each decision."""
