"""What is checked of the account before a run spends anything: one module per subject.

`role` the execution role's trust and permissions, `role_needs` which permissions those are, `key` the KMS key, `quota`
the quota of instances, `job_settings` what a training job may be asked. Each puts what it finds into
`findings.Findings`; what cannot be looked at is a warning, never a pass.
"""
