"""Run time of the workflow: what executes in Lambda. Imports no aws_cdk."""
