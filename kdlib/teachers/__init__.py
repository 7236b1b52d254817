"""What does the teacher say, and where is it kept?"""
