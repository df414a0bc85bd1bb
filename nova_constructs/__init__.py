"""AWS CDK constructs that customize Amazon Nova models."""
