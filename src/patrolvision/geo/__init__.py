"""Pure mathematics of places: geodesy, attitude, lens, ground, projection and fits; numpy only."""
