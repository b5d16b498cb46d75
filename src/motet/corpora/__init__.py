"""What makes training data with models: conversations an LLM writes, rollouts of a teacher."""
