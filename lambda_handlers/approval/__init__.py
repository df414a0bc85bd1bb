"""Approval: a person's answer between the gate and the deployment.

binding.py       what a person's identity is bound to: run, decision and reason, in headers that they sign
attestation.py   the identity as AWS STS attests it, out of a presigned request that can be nothing else
people.py        identities: who may answer, and who is the same person
approvals.py     the item of a run that waits for an answer, and what may become of it
asking.py        asks: the item, the ledger, the message to people
message.py       the message in words
answering.py     answers: checks, records once, tells the waiting state
settling.py      ends the waiting at its deadline
"""
