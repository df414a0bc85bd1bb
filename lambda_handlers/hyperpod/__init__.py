"""SageMaker HyperPod clusters: how their Kubernetes API is reached, what a job is made of there, how it stands."""
