"""Simulated services: what Amazon SageMaker, Amazon Bedrock and Amazon S3 do that moto does not."""
