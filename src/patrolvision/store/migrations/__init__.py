"""Alembic's folder: env.py, and one file a step of the schema in versions/."""
