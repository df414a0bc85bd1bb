"""A Kubernetes API server for HyperPod clusters, on loopback with TLS.

`cluster.HyperPodClusters` makes clusters; nothing here is imported before the first one is made.
"""
