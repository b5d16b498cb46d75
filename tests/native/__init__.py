"""The native runtime: laws and their mutants, equality with torch, states, files, edges."""
