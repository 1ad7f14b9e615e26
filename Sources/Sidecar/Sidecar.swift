// Sidecar
