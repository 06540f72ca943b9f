echo helped >>effects
