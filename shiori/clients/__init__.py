"""Ways from shiori to others, and to itself."""
